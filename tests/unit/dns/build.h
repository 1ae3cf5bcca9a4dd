/* build: messages for tests, octet by octet. */
#ifndef DOTGATE_TESTS_DNS_BUILD_H
#define DOTGATE_TESTS_DNS_BUILD_H

#include "dns/message.h"
#include "dns/wire.h"

/* The octets of a string constant, which may have zeros in it, without its end. */
#define LITERAL(text) (const uint8_t *)(text), sizeof(text) - 1

/* "www.example.com", IN, A; 21 octets, so that records start at 33. */
#define QUESTION_A "\3www\7example\3com\0\0\1\0\1"
#define QUESTION_A_MIXED "\3wWw\7eXAMPLE\3Com\0\0\1\0\1"
#define RECORDS_AT 33

struct build {
	struct writer w;
	uint8_t data[DNS_MESSAGE_MAX];
};

struct header {
	unsigned id, flags, questions, answers, authorities, additionals;
};

static inline void build_start(struct build *b, struct header h)
{
	b->w = writer_make(b->data, sizeof b->data);
	writer_u16(&b->w, (uint16_t)h.id);
	writer_u16(&b->w, (uint16_t)h.flags);
	writer_u16(&b->w, (uint16_t)h.questions);
	writer_u16(&b->w, (uint16_t)h.answers);
	writer_u16(&b->w, (uint16_t)h.authorities);
	writer_u16(&b->w, (uint16_t)h.additionals);
}

/* A record whose owner name is OWNER, of class IN, with a TTL of 300. */
static inline void build_record(struct build *b, const uint8_t *owner, size_t owner_len,
				unsigned type, const uint8_t *data, size_t len)
{
	writer_bytes(&b->w, owner, owner_len);
	writer_u16(&b->w, (uint16_t)type);
	writer_u16(&b->w, 1);
	writer_u32(&b->w, 300);
	writer_u16(&b->w, (uint16_t)len);
	writer_bytes(&b->w, data, len);
}

/* A record of the question's name. */
static inline void build_answer(struct build *b, unsigned type, const uint8_t *data,
				size_t len)
{
	build_record(b, LITERAL("\300\14"), type, data, len);
}

struct opt {
	unsigned size, extended_rcode, version, flags;
};

static inline void build_opt(struct build *b, struct opt o, const uint8_t *options,
			     size_t len)
{
	writer_u8(&b->w, 0);
	writer_u16(&b->w, TYPE_OPT);
	writer_u16(&b->w, (uint16_t)o.size);
	writer_u8(&b->w, (uint8_t)o.extended_rcode);
	writer_u8(&b->w, (uint8_t)o.version);
	writer_u16(&b->w, (uint16_t)o.flags);
	writer_u16(&b->w, (uint16_t)len);
	writer_bytes(&b->w, options, len);
}

static inline void build_bytes(struct build *b, const uint8_t *data, size_t len)
{
	writer_bytes(&b->w, data, len);
}

#endif
