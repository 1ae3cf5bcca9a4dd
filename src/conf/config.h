/* config: everything that can be configured, as the program uses it. Constant once read. */
#ifndef DOTGATE_CONF_CONFIG_H
#define DOTGATE_CONF_CONFIG_H

#include "base/address.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/policy.h"
#include "conf/warnings.h"
#include "dns/name.h"
#include "net/tls.h"

#define LISTEN_MAX 64

/* More threads than this gain nothing: they share one cache and the kernel's sockets. */
#define WORKERS_MAX 64

/* The longest name of an upstream, with the end. */
#define CONF_NAME_MAX 256
#define CONF_PATH_MAX 512

/* Addresses of one upstream. */
#define CONF_ADDRESSES_MAX 8

struct upstream_conf {
	unsigned address_count; /* 0: they are asked for by `name`, or discovered */
	struct address addresses[CONF_ADDRESSES_MAX];
	uint16_t port;
	bool plain; /* without TLS: only by the word plain:// */
	/* `addresses` is that of a plain resolver, which is asked for the one it designates */
	bool discover;
	enum tls_auth auth;
	char name[CONF_NAME_MAX];    /* "" : authenticated by address */
	char ca_file[CONF_PATH_MAX]; /* "" : the general one */
	char ca_dir[CONF_PATH_MAX];
	char cert_file[CONF_PATH_MAX]; /* our own certificate; "": none */
	char key_file[CONF_PATH_MAX];  /* "": the key is in cert_file */
	bool tls13_only;
	bool fast_open;
	bool early_data;
	unsigned weight; /* from 1 */
	unsigned pin_count;
	uint8_t pins[TLS_PINS_MAX][TLS_PIN_LEN];
};

/* Routes that can be configured. */
#define ROUTES_CONF_MAX 64

/* Names at and below a domain are asked at an upstream of their own. */
struct route_conf {
	uint8_t domain[NAME_MAX_LEN]; /* wire format, lower case */
	size_t domain_len;
	struct upstream_conf upstream;
};

/* Plain resolvers that are asked whom they designate. */
#define DISCOVER_MAX 8

/* Upstreams that are asked for addresses. */
#define BOOTSTRAP_MAX 8

/* Names that may be looked up while the clock is wrong. */
#define TIME_GRACE_MAX 8

struct domain_conf {
	uint8_t domain[NAME_MAX_LEN]; /* wire format, lower case */
	size_t domain_len;
};

struct config {
	unsigned listen_count;
	struct address listen[LISTEN_MAX];
	bool listen_is_argument; /* it was given on the command line */
	unsigned upstream_count;
	struct upstream_conf upstream[UPSTREAMS_MAX];
	unsigned route_count;
	struct route_conf route[ROUTES_CONF_MAX];
	bool special_names; /* are answered here */
	bool ede_detail;    /* clients are told which upstream failed, and how */
	bool
	    upstream_is_default; /* `upstream` is what stands there when nothing is given */
	unsigned discover_count;
	struct upstream_conf discover[DISCOVER_MAX];
	/* Who is asked for the addresses of upstreams that are written by name. */
	unsigned bootstrap_count;
	struct upstream_conf bootstrap[BOOTSTRAP_MAX];
	char addresses_file[CONF_PATH_MAX]; /* where these are kept; "": nowhere */
	unsigned time_grace_count;
	struct domain_conf time_grace[TIME_GRACE_MAX];
	char ca_file[CONF_PATH_MAX], ca_dir[CONF_PATH_MAX];
	bool tls13_only;
	unsigned workers; /* 0: auto */
	bool http_set;
	struct address http;
	enum log_level log_level;
	bool log_clients;	   /* the log may have addresses of clients */
	uint64_t query_timeout_us; /* a query's deadline */
	uint64_t tcp_idle_us;	   /* TCP clients */
	unsigned tcp_clients;	   /* TCP clients in all */
	unsigned
	    tcp_clients_per_address; /* 0: half of them, and only when places are scarce */
	uint64_t upstream_idle_us;   /* we close an idle upstream connection after this */
	uint64_t keep_warm_us;	     /* unless clients were active so recently */
	enum policy policy;
	unsigned race; /* POLICY_RACE: upstreams asked at once */
	enum hedge hedge;
	unsigned
	    client_share; /* percent of the flights that one client may have, when scarce */
	uint64_t drain_us;   /* at TERM: to answer what is in flight */
	uint64_t cache_size; /* octets; 0: no cache */
	uint64_t ttl_min_us, ttl_max_us, negative_ttl_max_us;
	uint64_t failure_ttl_us; /* failures are remembered for so long; 0: not */
	uint64_t serve_stale_us; /* so long after its end an answer is of use; 0: not */
	uint64_t
	    stale_after_us; /* a query has waited so long before it is served stale */
	char control[CONF_PATH_MAX]; /* "": the usual place, if it can be used; "off" */
	char cache_file[CONF_PATH_MAX]; /* "": the cache is not saved */
	struct warnings warnings;
};

/* True if a route for all names, route ., takes the place of `upstream` and `discover`. */
bool config_has_root(const struct config *c);

/* How many entries of `upstream` are asked: none beside route ., and none of the default
 * ones beside `discover`; else all. */
unsigned config_upstreams(const struct config *c);

/* Canonical spelling of an upstream: "tls://1.1.1.1#cloudflare-dns.com", the port only if
 * it is not 853. WITH_PARAMETERS adds " pin=sha256/... auth=... ca-file=..." where set.
 */
#define UPSTREAM_TEXT_MAX 4096
const char *upstream_text(const struct upstream_conf *u, bool with_parameters,
			  char out[UPSTREAM_TEXT_MAX]);

/* Whom to trust as upstream U of C: its own words, else the general ones. The strings are
 * those of U and C, which must outlive OUT. */
void config_trust(const struct config *c, const struct upstream_conf *u,
		  struct tls_trust *out);

#endif
