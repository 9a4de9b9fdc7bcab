/* The migrations of sql/, in order, as the build embeds them (tools/embed-sql). Number n leads to
 * user_version n+1. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

extern const char *const sql_migrations[];
extern const unsigned sql_migration_count;

#endif
