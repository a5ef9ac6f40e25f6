-- Address lists: every version whole, emergencies that wait for their second person, and what each project has had.

create table address_versions (
  number bigint primary key,
  token text not null unique,
  created_at bigint not null,
  change text not null,
  block_id text not null,
  blocks text not null -- JSON
);

create table address_proposals (
  id text primary key,
  at bigint not null,
  reason text not null,
  proposed_by text not null,
  change text not null -- JSON
);

create table address_receipts (
  project_id text primary key references projects (id),
  fetched bigint not null,
  fetched_at bigint,
  acknowledged bigint not null,
  acknowledged_at bigint
);

create table address_reminders (
  project_id text not null references projects (id),
  takes_effect_at bigint not null,
  days integer not null,
  primary key (project_id, takes_effect_at, days)
);
