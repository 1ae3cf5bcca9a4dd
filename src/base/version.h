/* version: what this is. */
#ifndef DOTGATE_BASE_VERSION_H
#define DOTGATE_BASE_VERSION_H

#define DOTGATE_NAME "dotgate"
#define DOTGATE_VERSION "0.1.0"

/* The day it was released, UNIX time: a clock that is before it is wrong. 2026-11-23. */
#define DOTGATE_RELEASED 1795392000

#endif
