// Choices of this browser's user.

import { effect, signal } from '@preact/signals';
import { device } from '../api/storage';

export type Theme = 'system' | 'light' | 'dark';

const read = (name: string) => device.getItem('ragserver.' + name) ?? '';
const write = (name: string, value: string) => {
  try {
    if (value) device.setItem('ragserver.' + name, value);
    else device.removeItem('ragserver.' + name);
  } catch {
    // storage is barred or full: the choice lasts as long as the page
  }
};

const themes: Theme[] = ['system', 'light', 'dark'];
const saved = read('theme') as Theme;

export const theme = signal<Theme>(themes.includes(saved) ? saved : 'system');
export const model = signal(read('model')); // '' for the server's own choice
export const sidebar = signal(read('sidebar') !== 'closed'); // on wide screens

export function keepSettings(): void {
  effect(() => {
    const t = theme.value;
    if (t === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = t;
    write('theme', t === 'system' ? '' : t);
  });
  effect(() => write('model', model.value));
  effect(() => write('sidebar', sidebar.value ? '' : 'closed'));
}
