#ifndef ARGYLE_CJWT_SHIM_H
#define ARGYLE_CJWT_SHIM_H

#include <jwt.h>

#endif
