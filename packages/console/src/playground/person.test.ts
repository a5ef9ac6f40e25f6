import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialsOf, nameOf } from './person.ts';

test('a name is read from JSON, from name=, and from plain text', () => {
  assert.equal(nameOf({ data: '{"name":" Ana Ruiz "}' }), 'Ana Ruiz');
  assert.equal(nameOf({ data: 'name=Ana' }), 'Ana');
  assert.equal(nameOf({ data: 'Ana' }), 'Ana');
});

test('who gave no name is a guest', () => {
  for (const data of ['', '  ', '{}', '{"name":7}', '{"name":""}', '{not json'])
    assert.equal(nameOf({ data }), 'Guest');
});

test('initials are the first letters of the first and the last word, in any script', () => {
  assert.equal(initialsOf('Ana María Ruiz'), 'AR');
  assert.equal(initialsOf('élodie'), 'É');
  assert.equal(initialsOf('李 明'), '李明');
  assert.equal(initialsOf('…'), '?');
});
