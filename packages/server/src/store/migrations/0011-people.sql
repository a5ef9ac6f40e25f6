-- People, how they log in, and who is logged in. Names, addresses and secrets are sealed; what is looked up is a hash.

create table people_pepper (
  one boolean primary key default true check (one),
  sealed text not null
);

create table people (
  id text primary key,
  seq bigint generated always as identity,
  account_id text references accounts (id), -- null: the operator's own staff
  role text, -- null: a log-in service gives none any more
  personal text not null,
  email_hash text unique,
  identity_hash text unique,
  password_allowed boolean not null,
  secrets text not null,
  invitation_hash text unique,
  invited_until bigint,
  created_at bigint not null,
  version integer not null
);
create index people_by_account on people (account_id, seq);

create table passkeys (
  id text primary key,
  person_id text not null references people (id) on delete cascade,
  public_key text not null,
  counter bigint not null,
  created_at bigint not null,
  last_used_at bigint
);
create index passkeys_by_person on passkeys (person_id);

create table person_sessions (
  hash text primary key,
  person_id text not null references people (id) on delete cascade,
  method text not null,
  created_at bigint not null,
  last_used_at bigint not null,
  key_id text not null
);
create index person_sessions_by_person on person_sessions (person_id, created_at);

create table log_ins (
  id text primary key,
  seq bigint generated always as identity,
  account_id text,
  person_id text not null,
  at bigint not null,
  method text not null,
  outcome text not null,
  network text not null,
  address text not null
);
create index log_ins_by_account on log_ins (account_id, seq);
create index log_ins_by_time on log_ins (at);

create table log_in_failures (
  subject text primary key,
  count integer not null,
  last_at bigint not null
);

create table api_keys (
  id text primary key,
  seq bigint generated always as identity,
  account_id text not null references accounts (id),
  person_id text references people (id) on delete cascade,
  label text not null,
  scopes text[] not null,
  hash text not null,
  created_at bigint not null,
  expires_at bigint not null,
  last_used_at bigint
);
create index api_keys_by_account on api_keys (account_id, seq);

create table support_grants (
  id text primary key,
  seq bigint generated always as identity,
  account_id text not null references accounts (id),
  scopes text[] not null,
  given_by text not null,
  created_at bigint not null,
  expires_at bigint not null
);
create index support_grants_by_account on support_grants (account_id, seq);
