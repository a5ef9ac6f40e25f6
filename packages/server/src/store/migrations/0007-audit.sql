-- The audit log. Hashes are base64; no content is in the clear, only what entries are found by.

-- Without a gap, unlike positions: a transaction that is undone gives its numbers back. Null for events of earlier versions.
alter table outbox add column sequence bigint unique;

create table outbox_sequence (
  one boolean primary key default true check (one),
  last bigint not null
);
insert into outbox_sequence (last) values (0);

create table audit_log (
  one boolean primary key default true check (one),
  origin text not null,
  size bigint not null,
  checkpoint text not null, -- a signed note
  sequence bigint not null
);

create table audit_entries (
  index bigint primary key,
  event_id text not null unique,
  at bigint not null,
  action text not null,
  account_id text,
  project_id text,
  mac text not null,
  sealed text -- salt and content, sealed; null when they were destroyed
);
create index audit_entries_by_account on audit_entries (account_id, index);
create index audit_entries_by_project on audit_entries (project_id, index);
create index audit_entries_by_action on audit_entries (action, index);
create index audit_entries_by_time on audit_entries (at, index);

create table audit_tiles (
  level integer not null,
  index bigint not null,
  hashes text not null,
  primary key (level, index)
);

create table audit_witnesses (
  name text primary key,
  checkpoint text not null,
  at bigint not null
);
