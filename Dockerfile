# The image of dotgate: the program, its libraries and the CA certificates; no shell.
#
#   docker build . -t fdns
#   docker run -it -p 53:9999 fdns
#   docker run -it -p 53:9999 -e "DNSSERVER=8.8.8.8" fdns

FROM debian:trixie-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	ca-certificates gcc libc6-dev libmicrohttpd-dev libssl-dev meson ninja-build pkgconf
COPY . /src
RUN meson setup /build /src -Dtests=false \
 && ninja -C /build \
 && /src/scripts/image-root /build/src/dotgate /image

FROM scratch
COPY --from=build /image /
# Inside a container all addresses are the container's own; which of them are reached from
# outside is said by -p.
ENV DOTGATE_LISTEN="0.0.0.0:9999;[::]:9999"
USER 65532:65532
EXPOSE 9999/udp 9999/tcp
HEALTHCHECK --interval=30s --timeout=6s CMD ["/usr/bin/dotgate", "health"]
ENTRYPOINT ["/usr/bin/dotgate"]
