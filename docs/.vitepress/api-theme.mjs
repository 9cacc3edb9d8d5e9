/**
 * A theme of typedoc-plugin-markdown that lists the options of a function where the function is described, so that nobody
 * has to open a second page for them.
 */
import { ReferenceType, ReflectionKind } from 'typedoc';
import { MarkdownTheme, MarkdownThemeContext } from 'typedoc-plugin-markdown';

/** @param {import('typedoc-plugin-markdown').MarkdownApplication} app */
export function load(app) {
  app.renderer.defineTheme('options-inline', OptionsInlineTheme);
}

class OptionsInlineTheme extends MarkdownTheme {
  getRenderContext(page) {
    return new OptionsInlineContext(this, page, this.application.options);
  }
}

class OptionsInlineContext extends MarkdownThemeContext {
  constructor(theme, page, options) {
    super(theme, page, options);
    const { parametersTable } = this.partials;
    this.partials = {
      ...this.partials,
      parametersTable: (parameters) => parametersTable(parameters.flatMap(withItsOptions)),
    };
  }
}

/** The parameter, and after it each of its options if its type is an interface of options. */
function withItsOptions(parameter) {
  const { type } = parameter;
  const target = type instanceof ReferenceType ? type.reflection : undefined;
  if (target?.kind !== ReflectionKind.Interface || !target.name.endsWith('Options')) return [parameter];
  const options = target.children?.filter(({ kind }) => kind === ReflectionKind.Property) ?? [];
  const members = target.children?.filter(({ kind, signatures }) => kind === ReflectionKind.Method && signatures) ?? [];
  return [
    parameter,
    ...options.map((option) => member(parameter, option)),
    ...members.map((method) => member(parameter, { ...method, comment: method.signatures[0].comment })),
  ];
}

function member(parameter, option) {
  const comment = option.comment?.clone();
  const byDefault = comment
    ?.getTag('@defaultValue')
    ?.content.map(({ text }) => text)
    .join('')
    .trim();
  if (byDefault) comment.summary.push({ kind: 'text', text: ` Default: ${byDefault}.` });
  return Object.assign(Object.create(Object.getPrototypeOf(option)), option, {
    name: `${parameter.name}.${option.name}`,
    comment,
  });
}
