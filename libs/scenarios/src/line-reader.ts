/** Calls `use` with each line of `text`, without its line end, and its number from 1. An empty last line is not one. */
export function eachLine(text: string, use: (line: string, number: number) => void): void {
  let number = 1;
  for (let from = 0; from < text.length; number += 1) {
    let end = text.indexOf('\n', from);
    if (end === -1) end = text.length;
    use(text.charCodeAt(end - 1) === 13 && end > from ? text.slice(from, end - 1) : text.slice(from, end), number);
    from = end + 1;
  }
}
