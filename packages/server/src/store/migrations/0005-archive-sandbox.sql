-- What the recorder of an archive was shut in with.

alter table archives
  add column sandbox text; -- bubblewrap or none; null for archives of earlier versions
