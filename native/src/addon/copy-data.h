#ifndef TSB_COPY_DATA_H
#define TSB_COPY_DATA_H
#include "addon.h"
/*
 * Copies a regular file's data, from offset 0, into an empty open file of the same size afterwards: reflink, else
 * copy_file_range, else read and write; holes stay holes. Returns the size, or -1 with errno (ECANCELED when the
 * job was stopped).
 */
int64_t copy_file_data(struct job *job, int source, int destination);
#endif
