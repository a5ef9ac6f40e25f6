-- Recordings of sessions, and where projects want them stored.

create table archives (
  id text primary key,
  seq bigint generated always as identity,
  project_id text not null references projects (id),
  session_id text not null,
  status text not null,
  name text not null, -- sealed
  reason text not null,
  output_mode text not null,
  has_audio boolean not null,
  has_video boolean not null,
  resolution text,
  stream_mode text not null,
  automatic boolean not null,
  max_bitrate integer,
  quantization_parameter integer,
  certificate text, -- PEM of what it is sealed to
  created_at bigint not null,
  began_at bigint,
  updated_at bigint not null,
  size_bytes bigint not null,
  duration_ms bigint not null,
  sha256 text not null,
  password text not null, -- the wrapped key: only the owner of the certificate opens it
  kept boolean not null -- whether there may be a file of it with us
);
create index archives_by_project on archives (project_id, seq);
create index archives_by_session on archives (session_id, seq);
create index archives_unfinished on archives (seq) where status in ('started', 'paused', 'stopped');
create index archives_kept on archives (updated_at, seq) where kept or status = 'deleted';

create table storages (
  project_id text primary key references projects (id),
  target text not null, -- sealed
  fallback text not null,
  certificate text,
  updated_at bigint not null
);
