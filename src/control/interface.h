/* The text of org.enrolld.control.varlink, as the build embeds it (tools/embed-text). */
#ifndef CONTROL_INTERFACE_H
#define CONTROL_INTERFACE_H

extern const char interface_description[];

#endif
