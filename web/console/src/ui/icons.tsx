// Line icons on a grid of 24, drawn for this console. They carry no meaning of their own: whoever shows one names it.

const PATHS = {
  bell: 'M5 15.5a7 7 0 0 1 14 0zM3.6 18.8h16.8M12 8.5V6.2M10.2 5.5h3.6',
  inbox: 'M4 13.5h4.2l1.3 2.3h5l1.3-2.3H20M4 13.5v4A1.5 1.5 0 0 0 5.5 19h13a1.5 1.5 0 0 0 1.5-1.5v-4L17.3 6.2A1.5 1.5 0 0 0 16 5.3H8a1.5 1.5 0 0 0-1.3.9z',
  search: 'M10.8 17a6.2 6.2 0 1 0 0-12.4 6.2 6.2 0 0 0 0 12.4zM15.4 15.4 20 20',
  gap: 'M6 4.5h8.5L19 9v4M14 4.5V9.5h5M6 4.5v15h5.5M17 16v5M14.5 18.5h5',
  file: 'M6 4.5h8.5L19 9v10.5H6zM14 4.5V9.5h5M9 13h7M9 16.2h7',
  canned: 'M5 5.5h14v10.5h-8l-4 3.5v-3.5H5zM13.3 8.2l-2.6 5.1',
  chart: 'M5 19.5V12M10 19.5V5M15 19.5v-9M20 19.5H3.5M19.5 19.5V8',
  insight: 'M4 17.5 9 12l4 3.5L20 7M15.5 7H20v4.5',
  team: 'M9 11.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM3.5 19a5.5 5.5 0 0 1 11 0M16 5.6a3.1 3.1 0 0 1 0 5.7M17.3 14.3A5.5 5.5 0 0 1 20.5 19',
  person: 'M12 12a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM5 19.5a7 7 0 0 1 14 0',
  send: 'M12 19V5.5M6 11l6-6 6 6',
  edit: 'M5 19h3.5L19 8.5 15.5 5 5 15.5zM13 7.5l3.5 3.5',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  down: 'M6 9.5l6 6 6-6',
  right: 'M9.5 6l6 6-6 6',
  left: 'M14.5 6l-6 6 6 6',
  more: 'M5.2 12a.5.5 0 1 0 1 0 .5.5 0 0 0-1 0zM11.5 12a.5.5 0 1 0 1 0 .5.5 0 0 0-1 0zM17.8 12a.5.5 0 1 0 1 0 .5.5 0 0 0-1 0z',
  back: 'M10 6l-6 6 6 6M4.5 12H20',
  give: 'M9 7 4 12l5 5M4.5 12H15a5 5 0 0 1 5 5v1.5',
  take: 'M12 12a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM5.5 19.5a6.5 6.5 0 0 1 9-6M15 18.5l2 2 4-4.5',
  spark: 'M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8zM18.5 16v4M16.5 18h4',
  note: 'M5 5h14v9l-5 5H5zM14 19v-5h5M8.5 9h7M8.5 12h4',
  eye: 'M3 12s3.3-6 9-6 9 6 9 6-3.3 6-9 6-9-6-9-6zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  panel: 'M4 5.5h16v13H4zM14.5 5.5v13',
  filter: 'M4 6.5h16M7 12h10M10 17.5h4',
  out: 'M9 6h9v9M18 6 7 17',
  up: 'M7.5 11.2 11 4.5a2 2 0 0 1 2.5 1.9V10h4.3a1.9 1.9 0 0 1 1.9 2.2l-.9 5.6a1.9 1.9 0 0 1-1.9 1.6H7.5M7.5 11.2v8.2H4.6v-8.2z',
  thumbDown: 'M16.5 12.8 13 19.5a2 2 0 0 1-2.5-1.9V14H6.2a1.9 1.9 0 0 1-1.9-2.2l.9-5.6a1.9 1.9 0 0 1 1.9-1.6h9.4M16.5 12.8V4.6h2.9v8.2z',
  latest: 'M12 5v13M6 12.5l6 6 6-6',
  plus: 'M12 5v14M5 12h14',
  lock: 'M6.5 11h11v8.5h-11zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  clock: 'M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 7.5V12l3 2',
  link: 'M10 14a3.5 3.5 0 0 0 5 0l3.5-3.5a3.5 3.5 0 0 0-5-5L12 7M14 10a3.5 3.5 0 0 0-5 0l-3.5 3.5a3.5 3.5 0 0 0 5 5L12 17',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7M10.5 10.5v5.5M13.5 10.5v5.5',
  keyboard: 'M3.5 7h17v10.5h-17zM7 10.5h.01M10.3 10.5h.01M13.6 10.5h.01M17 10.5h.01M8 14h8',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
