/**
 * The lint rule behind “names from outside never reach a prototype”: `record[name]` and
 * `name in record` find `constructor` and `__proto__` in every object. A name that may be any text is
 * looked up in a Map, or with `own` of `src/own.ts`.
 */
import ts from 'typescript';

const inherited = Object.getOwnPropertyNames(Object.prototype);

/** Needs type information. */
export const outsideNames = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      index:
        'Any text may be the name of something inherited, such as “constructor”: use a Map, or `own` and `setOwn` of src/own.ts.',
      in: '“in” finds inherited names too: use a Map or a Set, or `Object.hasOwn`.',
    },
  },
  create: (context) => {
    const services = context.sourceCode.parserServices;
    const checker = services.program.getTypeChecker();
    /** Whether its value may be any text: literals may not, nor what begins as no inherited name. */
    const isAnyText = (node) => {
      const [start] = node.type === 'TemplateLiteral' ? node.quasis : [];
      if (start && !inherited.some((name) => name.startsWith(start.value.cooked))) return false;
      const type = services.getTypeAtLocation(node);
      const bound = checker.getBaseConstraintOfType(type) ?? type;
      const any = ts.TypeFlags.String | ts.TypeFlags.TemplateLiteral | ts.TypeFlags.Any;
      return (bound.isUnion() ? bound.types : [bound]).some(({ flags }) => (flags & any) !== 0);
    };
    return {
      'MemberExpression[computed=true]': (node) => {
        if (isAnyText(node.property)) context.report({ node, messageId: 'index' });
      },
      'BinaryExpression[operator="in"]': (node) => {
        if (isAnyText(node.left)) context.report({ node, messageId: 'in' });
      },
    };
  },
};
