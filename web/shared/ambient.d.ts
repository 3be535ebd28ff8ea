// A style sheet is imported as its text, without white space and comments, for a constructable
// style sheet.
declare module '*.css' {
  const text: string;
  export default text;
}
