-- What accounts have agreed to, as a history. What they had until now is its first change.

create table account_terms (
  account_id text not null references accounts,
  version integer not null,
  effective_at bigint not null,
  decided_at bigint not null,
  decided_by text not null,
  plan text, -- null: it stays
  add_ons text[], -- all of them; null: they stay
  buy text[] not null,
  dropped text[] not null,
  forced boolean not null,
  primary key (account_id, version)
);
insert into account_terms
select id, 1, created_at, created_at, 'operator', plan, add_ons, '{}', '{}', false from accounts;
alter table accounts drop column plan, drop column add_ons;
