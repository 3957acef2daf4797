-- A notice may name days of the December before its year: what is entered anew for a year goes in the place
-- of that year's notice alone.
ALTER TABLE calendar_day ADD COLUMN year BIGINT NOT NULL DEFAULT 0; -- of the notice; 0 = entered by hand before there was a way
