/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - problems as a person reads them: "job.yaml:3:5: resources.memory: '8' has no unit;
 * write 8GiB".
 */
#ifndef SPILLWAY_CONF_REPORT_H
#define SPILLWAY_CONF_REPORT_H

#include "base/buf.h"
#include "conf/job.h"
#include "conf/yaml.h"

/* One line, without its end.  `doc` NULL: no place is known. */
void problem_line(const struct problem *problem, const struct yaml_doc *doc, const char *file,
                  struct buf *out);
/* All of them, in the order of their places, a line each; and how many more there were. */
void problems_text(const struct problems *problems, const struct yaml_doc *doc, const char *file,
                   struct buf *out);
/* "/sites/1/limits/cores" as "sites[1].limits.cores". */
void pointer_words(const char *pointer, struct buf *out);

#endif
