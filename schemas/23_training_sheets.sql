-- With canonical labels alone: the items that have no label yet, apart from those above the row limit.
ALTER TABLE training_sheets ADD COLUMN unlabelled_items BIGINT NOT NULL DEFAULT 0;
