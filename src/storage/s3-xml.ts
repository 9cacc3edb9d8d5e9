import { XMLParser, XMLValidator } from 'fast-xml-parser';

/** An element of the answer: text, or elements by name; those that may repeat are lists. */
export type Element = string | { readonly [name: string]: Element | readonly Element[] | undefined };

const parser = {
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  isArray: (name: string) => name === 'Contents' || name === 'CommonPrefixes',
};

/** The root element of the answer, if it is XML; without a DOCTYPE, since entities can grow without bounds. */
export function parseXml(text: string): Readonly<Record<string, Element | undefined>> {
  if (/<!DOCTYPE/i.test(text) || XMLValidator.validate(text) !== true) return {};
  try {
    return new XMLParser(parser).parse(text) as Record<string, Element>;
  } catch {
    return {};
  }
}

/** The text of a child element, if it has one. */
export function childText(element: Element | undefined, name: string): string | undefined {
  const child = typeof element === 'object' && Object.hasOwn(element, name) ? element[name] : undefined;
  return typeof child === 'string' ? child : undefined;
}
