/* table: the words that command line, environment and file share, and what they mean. */
#include "conf/table.h"

#include "conf/policy.h"
#include "conf/route.h"
#include "conf/suggest.h"

#define MS UINT64_C(1000)
#define S (1000 * MS)
#define HOUR (3600 * S)
#define DAY (24 * HOUR)

/* Room for a hundred million answers. */
#define CACHE_SIZE_MAX (UINT64_C(16) << 30)

/* A table of clients of this size takes some hundred MiB. */
#define CLIENTS_MAX 1000000

#define AT(member) offsetof(struct config, member)
#define COMMAND_LINE_ONLY(word_, letter_, help_)                                         \
	{                                                                                \
		.word = (word_), .letter = (letter_), .help = (help_),                   \
		.where = ON_COMMAND_LINE                                                 \
	}

const struct option option_table[OPTIONS] = {
    [OPTION_LISTEN] = {"listen", 'l', "ADDR[:PORT]", "listen here [" DEFAULT_LISTEN "]",
		       DEFAULT_LISTEN, &value_listen, AT(listen_count), 0, 0, EVERYWHERE},
    [OPTION_UPSTREAM] =
	{"upstream", 'u', "SPELLING", "tls://ADDRESS#NAME [two of Cloudflare]",
	 "tls://1.1.1.1#cloudflare-dns.com;tls://1.0.0.1#cloudflare-dns.com",
	 &value_upstream, AT(upstream_count), 0, 0, EVERYWHERE},
    [OPTION_CONFIG] = {"config", 'c', "FILE", "[/etc/dotgate/dotgate.conf, if it exists]",
		       NULL, NULL, 0, 0, 0, ON_COMMAND_LINE | IN_ENVIRONMENT},
    {"route", 0, "DOMAIN UPSTREAM", "names at and below it are asked there", NULL,
     &value_route, AT(route_count), 0, 0, EVERYWHERE},
    {"ca-file", 0, "FILE", "trust the CAs in it [those of the system]", NULL, &value_path,
     AT(ca_file), 0, 0, EVERYWHERE},
    {"ca-dir", 0, "DIR", "trust the CAs in this hashed folder", NULL, &value_path,
     AT(ca_dir), 0, 0, EVERYWHERE},
    {"tls-min", 0, "VERSION", "1.2 or 1.3", "1.2", &value_tls_min, AT(tls13_only), 0, 0,
     EVERYWHERE},
    {"workers", 0, "COUNT", "threads; auto: one for each CPU", "auto", &value_workers,
     AT(workers), 1, WORKERS_MAX, EVERYWHERE},
    {"http", 0, "ADDR:PORT", "metrics and health pages", "off", &value_http, AT(http), 0,
     0, EVERYWHERE},
    {"log-level", 0, "LEVEL", "error, warning, ..., info, debug", "notice", &value_level,
     AT(log_level), 0, 0, EVERYWHERE},
    {"query-timeout", 0, "TIME", "until a query has failed", "5s", &value_time,
     AT(query_timeout_us), 100 * MS, 60 * S, EVERYWHERE},
    {"tcp-idle-timeout", 0, "TIME", "until a quiet TCP client is closed", "30s",
     &value_time, AT(tcp_idle_us), 1 * S, HOUR, EVERYWHERE | RARE},
    {"tcp-clients", 0, "COUNT", "TCP clients at once", "16384", &value_count,
     AT(tcp_clients), 1, CLIENTS_MAX, EVERYWHERE | RARE},
    {"tcp-clients-per-address", 0, "COUNT", "of them from one address; half: when scarce",
     "half", &value_half, AT(tcp_clients_per_address), 1, CLIENTS_MAX, EVERYWHERE | RARE},
    {"upstream-idle-timeout", 0, "TIME", "until a quiet upstream is closed", "10s",
     &value_time, AT(upstream_idle_us), 1 * S, HOUR, EVERYWHERE | RARE},
    {"keep-warm", 0, "TIME", "one is kept ready so long; off: never", "5m", &value_time,
     AT(keep_warm_us), 0, DAY, EVERYWHERE | RARE},
    {"policy", 0, "WORD", "how an upstream is chosen", "fastest", &value_policy,
     AT(policy), 0, 0, EVERYWHERE},
    {"hedge", 0, "WORD", "ask a second one when late: auto, on, off", "auto",
     &value_hedge, AT(hedge), 0, 0, EVERYWHERE | RARE},
    {"client-share", 0, "PERCENT", "of the queries that wait, one client's when scarce",
     "25", &value_count, AT(client_share), 1, 100, EVERYWHERE | RARE},
    {"drain-timeout", 0, "TIME", "to answer what is left at the end", "5s", &value_time,
     AT(drain_us), 0, 5 * 60 * S, EVERYWHERE | RARE},
    {"cache-size", 0, "SIZE", "octets of all answers; off: none", "64M", &value_size,
     AT(cache_size), 256 * 1024, CACHE_SIZE_MAX, EVERYWHERE},
    {"ttl-min", 0, "TIME", "answers are kept at least so long", "0s", &value_time,
     AT(ttl_min_us), 0, DAY, EVERYWHERE | RARE},
    {"ttl-max", 0, "TIME", "and at most", "1d", &value_time, AT(ttl_max_us), 1 * S,
     365 * DAY, EVERYWHERE | RARE},
    {"negative-ttl-max", 0, "TIME", "those that say there is nothing", "1h", &value_time,
     AT(negative_ttl_max_us), 0, 7 * DAY, EVERYWHERE | RARE},
    {"failure-ttl", 0, "TIME", "failures are remembered so long", "5s", &value_time,
     AT(failure_ttl_us), 0, 5 * 60 * S, EVERYWHERE | RARE},
    {"serve-stale", 0, "TIME", "old answers are of use so long", "1d", &value_time,
     AT(serve_stale_us), 0, 30 * DAY, EVERYWHERE},
    {"stale-after", 0, "TIME", "a query waits before it gets one", "1800ms", &value_time,
     AT(stale_after_us), 0, 60 * S, EVERYWHERE | RARE},
    {"special-names", 0, "WORD", "localhost, test, ... are answered here", "on",
     &value_switch, AT(special_names), 0, 0, EVERYWHERE | RARE},
    {"log-clients", 0, "WORD", "the log may have addresses of clients", "off",
     &value_switch, AT(log_clients), 0, 0, EVERYWHERE | RARE},
    {"ede-detail", 0, "WORD", "clients are told which upstream failed, and how", "off",
     &value_switch, AT(ede_detail), 0, 0, EVERYWHERE | RARE},
    {"time-grace", 0, "NAME", "asked for even while the clock is wrong", NULL,
     &value_time_grace, AT(time_grace_count), 0, 0, EVERYWHERE | RARE},
    {"discover", 0, "ADDR[:PORT]", "use the DoT resolver that this one designates", NULL,
     &value_discover, AT(discover_count), 0, 0, EVERYWHERE | RARE},
    {"bootstrap", 0, "SPELLING", "is asked for addresses of upstreams by name", NULL,
     &value_bootstrap, AT(bootstrap_count), 0, 0, EVERYWHERE | RARE},
    {"addresses-file", 0, "FILE", "these are kept here over a restart", NULL, &value_path,
     AT(addresses_file), 0, 0, EVERYWHERE | RARE},
    {"cache-file", 0, "FILE", "keep the cache here over a restart", NULL, &value_path,
     AT(cache_file), 0, 0, EVERYWHERE},
    {"control", 0, "PATH", "socket of the commands; off: none [in /run/dotgate]", NULL,
     &value_path, AT(control), 0, 0, EVERYWHERE | RARE},
    COMMAND_LINE_ONLY("verbose", 'v', "log more: info; twice: debug"),
    COMMAND_LINE_ONLY("check", 't', "the same as the command check"),
    COMMAND_LINE_ONLY("print", 'T', "with check: print what is in effect"),
    COMMAND_LINE_ONLY("version", 'V', "the same as the command version"),
    COMMAND_LINE_ONLY("help", 'h', "this text"),
};

const struct option *option_find(struct span word)
{
	for (unsigned i = 0; i < OPTIONS; i++)
		if (span_is(word, option_table[i].word))
			return &option_table[i];
	return NULL;
}

const struct option *option_find_letter(char letter)
{
	for (unsigned i = 0; i < OPTIONS && letter; i++)
		if (option_table[i].letter == letter)
			return &option_table[i];
	return NULL;
}

const struct option *option_nearest(struct span word, unsigned where)
{
	const char *known[OPTIONS];
	const char *nearest;
	size_t n = 0;

	for (unsigned i = 0; i < OPTIONS; i++)
		if (option_table[i].where & where)
			known[n++] = option_table[i].word;
	nearest = suggest_nearest(word, known, n);
	return nearest ? option_find(span_of(nearest)) : NULL;
}
