/**
 * The parts of undici that are used, by name: a module of our own, so that it can be imported when it is first needed and
 * a bundler still sees which names a CommonJS package has to give.
 */
export { Agent, ProxyAgent, request } from 'undici';
