-- What archives are sealed to by a project's own choice, and what the platform signs of each.

create table sealings (
  project_id text primary key references projects (id),
  format text not null,
  certificates text[] not null, -- PEM
  updated_at bigint not null
);

alter table archives
  add column recipients text[] not null default '{}', -- PEM of what it is sealed to in our own format
  add column manifest text not null default ''; -- compact JWS, once it has ended
