-- What the audit log tells of starts, and how far each receiver of its entries is.

create table last_settings (
  one boolean primary key default true check (one),
  settings text not null -- sealed
);

create table audit_outlets (
  name text primary key,
  next bigint not null -- index of the first entry that has not arrived there
);

-- An entry is once in the log since it moves the log's reader in its transaction; ids in random order made every insert slow.
alter table audit_entries drop constraint audit_entries_event_id_key;
