-- What each end said of a leg, word by word.

alter table legs
  add column words text not null default '[]'; -- JSON; empty for legs of earlier versions
