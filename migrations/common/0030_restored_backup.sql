-- A disk that was made out of a backup (decision 35). Like one out of a snapshot it stands on no delivery sheet.
ALTER TABLE resource ADD COLUMN from_backup TEXT REFERENCES backup (id);
