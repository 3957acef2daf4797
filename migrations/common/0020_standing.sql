-- Lists of resources show what has not been given back and does not lie in the bin. A bureau that has
-- thousands counted them by reading every row; these indexes hold just what the lists show.
CREATE INDEX resource_standing ON resource (unit_id, delivered_at, id)
  WHERE service_state <> 'released' AND service_state <> 'recycled';
CREATE INDEX resource_standing_all ON resource (delivered_at, id)
  WHERE service_state <> 'released' AND service_state <> 'recycled';
