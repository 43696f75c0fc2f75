/* Memory of the library while it looks at one document: taken in a row, given back at once. Seen by the files around
 * libxml2 alone. */
#ifndef XML_SCRATCH_H
#define XML_SCRATCH_H

/* Before any other call of the library. */
void xml_scratch_open(void);

/* Of the calling thread; the memory of others goes when they end. */
void xml_scratch_close(void);

/* Between these two, what this thread's calls of the library allocate is gone at the end, so that nothing made before
 * may be changed and nothing made may be kept. Not nested. */
void xml_scratch_begin(void);
void xml_scratch_end(void);

#endif
