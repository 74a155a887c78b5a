-- A sheet may read a join of several sources. Its numbers are those of the last preview, and marked when they are stale.
ALTER TABLE sheets ADD COLUMN join_config TEXT NOT NULL DEFAULT '';
ALTER TABLE sheets ADD COLUMN join_stats TEXT NOT NULL DEFAULT '';
ALTER TABLE sheets ADD COLUMN join_stats_stale BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sheets ADD COLUMN column_order TEXT NOT NULL DEFAULT '[]';
