/* version: what this is. */
#ifndef DOTGATE_VERSION_H
#define DOTGATE_VERSION_H

#define DOTGATE_NAME "dotgate"
#define DOTGATE_VERSION "0.1.0"

#endif
