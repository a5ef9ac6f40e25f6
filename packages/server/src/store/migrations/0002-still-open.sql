-- What is open now, as far as the record knows: after a crash, what has to be closed in it.

alter table legs add column closed_at bigint;
update legs set closed_at = (leg::jsonb ->> 'closedAt')::bigint;
create index legs_open on legs (session_id) where closed_at is null;

-- Connections and streams between their first event and their last. No foreign key, as with legs.
create table present (
  id text primary key, -- of the connection or stream
  seq bigint generated always as identity,
  project_id text not null,
  session_id text not null,
  event_id text not null unique,
  event text not null, -- JSON of its first event, without the personal fields
  personal text -- the personal fields, sealed
);
create index present_by_session on present (session_id, seq);
create index present_by_project on present (project_id);
