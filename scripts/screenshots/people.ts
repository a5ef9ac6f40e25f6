/** Who is in the call of the screenshots. */
import type { Portrait } from './portrait.ts';

export const people: readonly { readonly name: string; readonly portrait: Portrait }[] = [
  {
    name: 'Dr. Amara Osei',
    portrait: {
      wall: ['#dfe5df', '#a9b8b0'],
      skin: '#8d5a3c',
      shade: '#6f432b',
      hair: '#211815',
      lips: '#8f3f3d',
      longHair: true,
      coat: '#f1f3f2',
      shirt: '#4d7f86',
      room: 'window',
    },
  },
  {
    name: 'Jonas Weber',
    portrait: {
      wall: ['#d9cdbb', '#a48f77'],
      skin: '#eec3a0',
      shade: '#d39d78',
      hair: '#6b4a2f',
      lips: '#b9624f',
      longHair: false,
      coat: '#2f4858',
      shirt: '#e6e2d8',
      room: 'shelves',
    },
  },
  {
    name: 'Lucía Fernández',
    portrait: {
      wall: ['#e3d7d0', '#bda69c'],
      skin: '#dca57d',
      shade: '#bd835d',
      hair: '#3b241b',
      lips: '#a94f48',
      longHair: true,
      coat: '#8c4a3f',
      shirt: '#f3e9de',
      room: 'plant',
    },
  },
];
