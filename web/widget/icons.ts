// Line drawings on 24 by 24 units, for `icon()`.

export const CHAT = 'M5.5 18.2 4 21l4-1.2a8.6 8.6 0 1 0-2.5-1.6zM8.5 11.6h7M8.5 8.4h7M8.5 14.8h4';
export const CLOSE = 'M6 6l12 12M18 6 6 18';
export const SEND = 'M12 19V5.5M6 11l6-6 6 6';
export const STOP = '!M7 8.6A1.6 1.6 0 0 1 8.6 7h6.8A1.6 1.6 0 0 1 17 8.6v6.8a1.6 1.6 0 0 1-1.6 1.6H8.6A1.6 1.6 0 0 1 7 15.4z';
export const DOTS = '!M5 13.6a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.2z|!M12 13.6a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.2z|!M19 13.6a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.2z';
export const DOWN = 'M6 9.5l6 6 6-6';
export const LATEST = 'M12 5v13M6 12.5l6 6 6-6';
export const PERSON = 'M12 11.5a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4zM4.8 20a7.2 7.2 0 0 1 14.4 0';
export const SPARK = 'M12 3.5l1.9 5.1 5.1 1.9-5.1 1.9L12 17.5l-1.9-5.1L5 10.5l5.1-1.9zM18.5 16.5v4M16.5 18.5h4';
export const THUMB_UP = 'M7.5 11.2 11 4.5a2 2 0 0 1 2.5 1.9V10h4.3a1.9 1.9 0 0 1 1.9 2.2l-.9 5.6a1.9 1.9 0 0 1-1.9 1.6H7.5M7.5 11.2v8.2H4.6v-8.2z';
export const THUMB_DOWN = 'M16.5 12.8 13 19.5a2 2 0 0 1-2.5-1.9V14H6.2a1.9 1.9 0 0 1-1.9-2.2l.9-5.6a1.9 1.9 0 0 1 1.9-1.6h9.4M16.5 12.8V4.6h2.9v8.2z';
export const OUT = 'M9 6h9v9M18 6 7 17';
export const SOUND = 'M5 9.5v5h3l4.5 3.8V5.7L8 9.5zM16 9a4.2 4.2 0 0 1 0 6M18.3 6.8a7.4 7.4 0 0 1 0 10.4';
export const MUTE = 'M5 9.5v5h3l4.5 3.8V5.7L8 9.5zM16.5 9.8l4.4 4.4M20.9 9.8l-4.4 4.4';
export const SAVE = 'M12 4v11M7 10.5l5 5 5-5M5 19.5h14';
export const NEW = 'M12 5v14M5 12h14';
export const END = 'M9 4.5H6A1.5 1.5 0 0 0 4.5 6v12A1.5 1.5 0 0 0 6 19.5h3M14.5 8l4 4-4 4M18.5 12H10';
export const BIN = 'M4.5 7h15M9.5 7V4.8h5V7M6.5 7l.8 12.5h9.4L17.5 7M10 10.8v5M14 10.8v5';
