-- Who cancelled a generation, while that is its last word.
ALTER TABLE training_sheets ADD COLUMN cancelled_by TEXT NOT NULL DEFAULT '';
UPDATE training_sheets SET cancelled_by = COALESCE((
    SELECT by_user FROM history
    WHERE subject_kind = 'training_sheet' AND subject_id = training_sheets.id AND action IN ('cancel', 'cancel_append')
    ORDER BY happened_at DESC, id LIMIT 1
), updated_by)
WHERE SUBSTR(error, 1, 13) = 'Cancelled by ';

-- Who closed the review or rejected the whole, and when. A review that was opened again has neither.
ALTER TABLE training_sheets ADD COLUMN reviewed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE training_sheets ADD COLUMN reviewed_at TIMESTAMP;
UPDATE training_sheets SET reviewed_by = COALESCE((
    SELECT CASE WHEN action = 'reopen' THEN '' ELSE by_user END FROM history
    WHERE subject_kind = 'training_sheet' AND subject_id = training_sheets.id
        AND action IN ('close_review', 'reject', 'reopen')
    ORDER BY happened_at DESC, id LIMIT 1
), ''), reviewed_at = (
    SELECT CASE WHEN action = 'reopen' THEN NULL ELSE happened_at END FROM history
    WHERE subject_kind = 'training_sheet' AND subject_id = training_sheets.id
        AND action IN ('close_review', 'reject', 'reopen')
    ORDER BY happened_at DESC, id LIMIT 1
);
