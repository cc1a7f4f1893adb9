// A webpack loader: TypeScript becomes JavaScript as Node itself makes it, by leaving the types out. Sources of this repository hold
// nothing else that would have to be compiled.
const { stripTypeScriptTypes } = require('node:module');

module.exports = function stripTypes(source) {
  return stripTypeScriptTypes(source, { mode: 'strip' });
};
