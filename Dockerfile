# The image of dotgate: the program, its libraries and the CA certificates; no shell.
#
#   docker build . -t fdns
#   docker run -it -p 53:9999 fdns
#   docker run -it -p 53:9999 -e "DNSSERVER=8.8.8.8" fdns

FROM debian:trixie-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
	ca-certificates gcc libc6-dev libmicrohttpd-dev libpsl5t64 libssl-dev meson ninja-build pkgconf
COPY . /src
# Inside a container all addresses are the container's own; which of them are reached from outside is
# said by -p. It is the default of this image: file, environment and arguments go over it.
RUN meson setup /build /src -Dtests=false "-Dlisten=0.0.0.0:9999;[::]:9999" \
 && ninja -C /build \
 && /src/scripts/image-root /build/src/dotgate /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
# Of the control socket, by which the health check finds the daemon; with --read-only as well.
VOLUME /run/dotgate
EXPOSE 9999/udp 9999/tcp
HEALTHCHECK --interval=30s --timeout=10s CMD ["/usr/bin/dotgate", "health"]
ENTRYPOINT ["/usr/bin/dotgate"]
