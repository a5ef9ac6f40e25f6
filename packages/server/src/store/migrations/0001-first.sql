-- Times are milliseconds since 1970, UTC. Columns marked "sealed" hold cipher text only.

create table accounts (
  id text primary key,
  seq bigint generated always as identity,
  name text not null, -- sealed
  secret text not null, -- sealed
  plan text not null,
  add_ons text[] not null,
  created_at bigint not null
);

create table projects (
  id text primary key,
  seq bigint generated always as identity,
  account_id text not null references accounts (id),
  name text not null, -- sealed
  status text not null,
  secrets text not null, -- JSON; each value in it is sealed
  signature_secret text not null, -- sealed
  policy text not null,
  zone text not null,
  created_at bigint not null
);
create index projects_by_account on projects (account_id, seq);

create table sessions (
  id text primary key,
  project_id text not null references projects (id),
  media_mode text not null,
  archive_mode text not null,
  archive_name text, -- sealed
  archive_resolution text,
  e2ee boolean not null,
  zone text not null,
  policy text not null,
  created_at bigint not null
);
create index sessions_by_project on sessions (project_id);

-- No foreign key: the last events of a call may come after its project is gone, and then write no leg.
create table legs (
  id text primary key,
  seq bigint generated always as identity,
  project_id text not null,
  session_id text not null,
  connected_at bigint not null,
  leg text not null -- JSON
);
create index legs_by_session on legs (session_id, connected_at, seq);
create index legs_by_project on legs (project_id);

create table callbacks (
  id text primary key,
  seq bigint generated always as identity,
  project_id text not null references projects (id),
  "group" text not null,
  event text not null,
  url text not null, -- sealed
  created_at bigint not null
);
create index callbacks_by_project on callbacks (project_id, seq);

create table deliveries (
  id text primary key,
  seq bigint generated always as identity,
  project_id text not null references projects (id),
  order_key text not null,
  url text not null, -- sealed
  body text not null, -- sealed
  attempts integer not null,
  due_at bigint not null,
  created_at bigint not null,
  -- The oldest of its order key, which alone may go out. Kept, so that finding what is due does not read a long queue.
  head boolean not null
);
create index deliveries_by_key on deliveries (order_key, seq);
create index deliveries_by_project on deliveries (project_id);
create index deliveries_due on deliveries (due_at, seq) where head;

create table outbox (
  position bigint generated always as identity primary key,
  id text not null unique,
  project_id text,
  event text not null, -- JSON without the personal fields
  personal text -- the personal fields, sealed; 'erased' when the project is gone
);
create index outbox_personal on outbox (project_id) where personal is not null;

create table readers (
  name text primary key,
  position bigint not null
);

create table keyring (
  id text primary key,
  purpose text not null,
  wrapped text not null, -- by the root, which is not in the database
  created_at bigint not null,
  retired_at bigint,
  compromised_at bigint
);
create index keyring_by_purpose on keyring (purpose);
