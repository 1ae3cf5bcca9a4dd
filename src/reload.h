/* reload: files of certificates and keys are read again when they change. */
#ifndef DOTGATE_RELOAD_H
#define DOTGATE_RELOAD_H

#include "upstreams.h"

/* One thread that looks at the files every few seconds: by size, time and number, which sees what
 * editors, renames and exchanged links do alike. */
struct reload;

/* NULL: no upstream has files, or there is no thread to be had. U must live until reload_end(). */
struct reload *reload_begin(struct upstreams *u);

/* Reads them at once, changed or not. NULL is fine. */
void reload_now(struct reload *r);
void reload_end(struct reload *r);

#endif
