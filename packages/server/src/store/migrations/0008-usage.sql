-- What was used, by day. The account of a project outlives it, since what it used is still owed.

create table usage_projects (
  project_id text primary key,
  account_id text not null
);
insert into usage_projects select id, account_id from projects;

-- What has begun and not ended: connections that are there, archives that record.
create table usage_open (
  kind text not null,
  id text not null,
  project_id text not null,
  zone text not null,
  since bigint, -- null: it pauses
  primary key (kind, id)
);
create index usage_open_by_project on usage_open (project_id);

create table usage_days (
  project_id text not null,
  zone text not null,
  day date not null, -- of UTC
  participant_ms bigint not null,
  archive_ms bigint not null,
  sealed_bytes bigint not null,
  primary key (project_id, day, zone)
);
create index usage_days_by_day on usage_days (day);

-- Counting begins with what comes from now on.
insert into readers (name, position) select 'usage', max(position) from outbox having count(*) > 0
on conflict (name) do nothing;
