// Line icons on a grid of 20, drawn for this page.

const paths = {
  menu: 'M3 6h14M3 10h14M3 14h14',
  sidebar: 'M3.5 4.5h13v11h-13zM8 4.5v11',
  plus: 'M10 4v12M4 10h12',
  close: 'M5 5l10 10M15 5L5 15',
  send: 'M10 16V4.5M5 9l5-5 5 5',
  copy: 'M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3',
  check: 'M4.5 10.5l3.5 3.5 7.5-8',
  again: 'M15.5 10a5.5 5.5 0 1 1-1.7-4M14.5 3v3.5H11',
  edit: 'M4 16l.7-3L13 4.7a1.4 1.4 0 0 1 2 0l.3.3a1.4 1.4 0 0 1 0 2L7 15.3z',
  trash: 'M4 6h12M8 6V4h4v2M5.5 6l.8 10h7.4l.8-10M8.5 9v4M11.5 9v4',
  search: 'M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4',
  page: 'M5 3h6.5L15 6.5V17H5zM11 3v4h4M7.5 10h5M7.5 13h5',
  pulse: 'M2.5 10h3.5l2-5 3.5 10 2-5h4',
  gear: 'M10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM10 3v2M10 15v2M3 10h2M15 10h2M5 5l1.5 1.5M13.5 13.5L15 15M15 5l-1.5 1.5M6.5 13.5L5 15',
  upload: 'M10 13V4M6.5 7.5L10 4l3.5 3.5M4 13v3h12v-3',
  link: 'M8.5 11.5a3 3 0 0 0 4.300 0l2.400-2.400a3 3 0 0 0-4.300-4.300l-1 1M11.5 8.5a3 3 0 0 0-4.300 0l-2.400 2.400a3 3 0 0 0 4.300 4.300l1-1',
  ask: 'M4 4.5h12v9H9.5L6 16.5v-3H4z',
  more: 'M6 8l4 4 4-4',
  alert: 'M10 3.5l7 12.5H3zM10 8v4M10 13.800v.2',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
      <path d={paths[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}

export function Mark() {
  return (
    <svg class="brand-mark" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false">
      <rect class="brand-back" width="32" height="32" rx="8" />
      <rect class="brand-pen" x="7" y="12.5" width="14" height="8" rx="1.5" />
      <path class="brand-line" d="M8 9.5h16M8 23.5h16" />
      <path class="brand-over" d="M8 16.5h11" />
    </svg>
  );
}

export function StopIcon() {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
      <rect x="6" y="6" width="8" height="8" rx="1.5" fill="currentColor" />
    </svg>
  );
}
