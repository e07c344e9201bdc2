// Validates the state machine of template.json, and walks it with JSONata as Step Functions does, against services made of a few
// lines each. Usage: node check.mjs [FOLDER WITH node_modules]; it needs the packages asl-validator and jsonata.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const require = createRequire(`${process.argv[2] ?? import.meta.dirname}/`);
const jsonata = require('jsonata');
const validate = require('asl-validator');

const template = JSON.parse(readFileSync(new URL('./template.json', import.meta.url)));
const machine = JSON.parse(template.Resources.StateMachine.Properties.DefinitionString);
const { isValid, errors } = validate(machine);
assert.ok(isValid, JSON.stringify(errors, null, 1));

class Failed extends Error {
  constructor(name) { super(name); this.code = name; }
}

/** The value of a field: texts between {% and %} are expressions. One without a value is an error, as in Step Functions. */
async function fill(field, scope) {
  if (typeof field === 'string' && field.startsWith('{%')) {
    let value;
    try {
      const expression = jsonata(field.slice(2, -2));
      // Step Functions' own; JSONata has none.
      expression.registerFunction('parse', (text) => JSON.parse(text));
      value = await expression.evaluate({}, scope);
    } catch (error) {
      throw new Failed(`States.QueryEvaluationError: ${error.message} in ${field}`);
    }
    if (value === undefined) throw new Failed(`States.QueryEvaluationError: no value: ${field}`);
    return JSON.parse(JSON.stringify(value));
  }
  if (Array.isArray(field)) return Promise.all(field.map((one) => fill(one, scope)));
  if (field !== null && typeof field === 'object') {
    const filled = await Promise.all(Object.entries(field).map(async ([key, one]) => [key, await fill(one, scope)]));
    return Object.fromEntries(filled);
  }
  return field;
}

/** Walks a list of states. `outer`: variables that are readable. */
async function walk({ StartAt, States }, input, outer, account, context = {}) {
  const variables = { ...outer };
  let name = StartAt;
  for (let steps = 0; steps < 5000; steps += 1) {
    const state = States[name];
    const scope = (more) => ({ ...variables, states: { input, context, ...more } });
    const assign = async (fields, more) => Object.assign(variables, await fill(fields ?? {}, scope(more)));
    account.seen.push(name);
    if (state.Type === 'Succeed') return state.Output ? fill(state.Output, scope()) : input;
    if (state.Type === 'Fail') throw new Failed(`${state.Error}: ${await fill(state.Cause ?? '', scope())}`);
    if (state.Type === 'Choice') {
      let next = state.Default;
      for (const rule of state.Choices) {
        if ((await fill(rule.Condition, scope())) === true) { next = rule.Next; break; }
      }
      name = next;
      continue;
    }
    if (state.Type === 'Wait') {
      account.wait(state.Timestamp ? await fill(state.Timestamp, scope()) : state.Seconds);
      await assign(state.Assign);
    } else if (state.Type === 'Pass') {
      await assign(state.Assign);
    } else if (state.Type === 'Map') {
      const items = await fill(state.Items, scope());
      assert.ok(Array.isArray(items));
      const results = [];
      for (const item of items) {
        const own = { Map: { Item: { Value: item } } };
        const selected = await fill(state.ItemSelector, { ...variables, states: { input, context: own } });
        results.push(await walk(state.ItemProcessor, selected, variables, account, own));
      }
      input = await fill(state.Output, scope({ result: results }));
    } else if (state.Type === 'Task') {
      try {
        const result = await account.call(state.Resource.split(':').slice(-2).join(':'), await fill(state.Arguments, scope()));
        await assign(state.Assign, { result });
        if (process.env.HISTORY) console.log(name, JSON.stringify(result));
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        account.errors.push(error.code);
        const handler = state.Catch.find((one) => ['States.ALL', error.code].includes(one.ErrorEquals[0]));
        await assign(handler.Assign);
        name = handler.Next;
        continue;
      }
    } else throw new Error(`no ${state.Type}`);
    name = state.Next;
  }
  throw new Error('it never ends');
}

const LOCK = '/squall/marks/function/pay';
const FLAGS = '/shop/faults';
const FLAGS_LOCK = '/squall/marks/parameter/_2f_shop_2f_faults';
const ENV = { SECRET: 'hunter2', CHAOS_EXTENSION__LAMBDA__LATENCY: '5' };

/** An account with one function, one queue and parameters. `hook` may fail calls, or act before them. */
function accountOf(hook = () => {}) {
  const account = {
    reserved: 0, delay: 300, environment: { ...ENV }, revision: 1,
    parameters: { [LOCK]: '{"run":"run-1"}', [FLAGS]: '{}', [FLAGS_LOCK]: '{"run":"run-1"}', '/squall/marks/queue/orders': '{"run":"run-1"}' },
    told: [], seen: [], errors: [], calls: [], waits: [],
    wait: (time) => account.waits.push(time),
    async call(api, asked) {
      account.calls.push(api);
      await hook(account, api, asked);
      return services[api](account, asked);
    },
  };
  return account;
}

const services = {
  'lambda:getFunctionConcurrency': (a) => (a.reserved === null ? {} : { ReservedConcurrentExecutions: a.reserved }),
  'lambda:putFunctionConcurrency': (a, { FunctionName, ReservedConcurrentExecutions: n }) => {
    assert.equal(FunctionName, 'pay');
    assert.equal(typeof n, 'number');
    a.reserved = n;
    return {};
  },
  'lambda:deleteFunctionConcurrency': (a) => { a.reserved = null; return {}; },
  'lambda:getFunctionConfiguration': (a) => ({ ...(a.environment ? { Environment: { Variables: a.environment } } : {}), RevisionId: `${a.revision}` }),
  'lambda:updateFunctionConfiguration': (a, { RevisionId, Environment }) => {
    if (RevisionId !== `${a.revision}`) throw new Failed('Lambda.PreconditionFailedException');
    Object.assign(a, { environment: Environment.Variables, revision: a.revision + 1 });
    return {};
  },
  'sqs:getQueueUrl': (a, { QueueName }) => ({ QueueUrl: `https://sqs/${QueueName}` }),
  'sqs:getQueueAttributes': (a, { QueueUrl, AttributeNames }) => {
    assert.deepEqual([QueueUrl, AttributeNames], ['https://sqs/orders', ['DelaySeconds']]);
    return { Attributes: { DelaySeconds: `${a.delay}` } };
  },
  'sqs:setQueueAttributes': (a, { Attributes }) => {
    assert.equal(typeof Attributes.DelaySeconds, 'string');
    a.delay = Number(Attributes.DelaySeconds);
    return {};
  },
  'ssm:getParameter': (a, { Name }) => {
    if (!(Name in a.parameters)) throw new Failed('Ssm.ParameterNotFoundException');
    return { Parameter: { Name, Value: a.parameters[Name] } };
  },
  'ssm:putParameter': (a, { Name, Value, Overwrite }) => {
    assert.ok(Overwrite && Name in a.parameters && typeof Value === 'string' && !Name.startsWith('/squall'));
    a.parameters[Name] = Value;
    return {};
  },
  'ssm:deleteParameter': (a, { Name }) => {
    if (!(Name in a.parameters)) throw new Failed('Ssm.ParameterNotFoundException');
    assert.ok(Name.startsWith('/squall/marks/'));
    delete a.parameters[Name];
    return {};
  },
  'sns:publish': (a, { Message }) => { a.told.push(Message); return {}; },
};

const until = '2026-03-02T10:00:00Z';
const throttle = { setting: 'reserved_concurrency', before: {}, after: { value: 0 } };
const order = (resource, ...changes) => ({ run: 'run-1', until, resources: [{ resource, unlock: true, changes }] });
const flag = (key, before, after, document) => ({ setting: 'fault_flag', key, before, after, document });

async function run(input, account = accountOf()) {
  const output = await walk(machine, input, {}, account).catch((error) => error);
  return { account, output };
}

const cases = {
  async 'a throttle is taken out, the lock goes, and it is told'() {
    const { account, output } = await run(order('function pay', throttle));
    assert.deepEqual(output, { run: 'run-1', resources: [{ resource: 'function pay', ends: 'restored', told: true }] });
    assert.equal(account.reserved, null);
    assert.ok(!(LOCK in account.parameters));
    assert.equal(account.waits[0], until);
    assert.match(account.told[0], /restored/);
  },
  async 'a number is written back as a number'() {
    const { account, output } = await run(order('function pay', { ...throttle, before: { value: 7 } }));
    assert.deepEqual([account.reserved, output.resources[0].ends], [7, 'restored']);
  },
  async 'what is as before stays'() {
    const account = accountOf();
    account.reserved = null;
    const { output } = await run(order('function pay', throttle), account);
    assert.equal(output.resources[0].ends, 'already_before');
    assert.ok(!account.calls.some((api) => /put|deleteFunction/.test(api)) && !(LOCK in account.parameters));
  },
  async 'a value of others stays, and so does the lock'() {
    const account = accountOf();
    account.reserved = 3;
    const { output } = await run(order('function pay', throttle), account);
    assert.deepEqual([account.reserved, output.resources[0].ends, LOCK in account.parameters], [3, 'theirs', true]);
  },
  async 'under another lock nothing is looked at'() {
    const account = accountOf();
    account.parameters[LOCK] = '{"run":"run-2"}';
    const { output } = await run(order('function pay', throttle), account);
    assert.deepEqual([account.reserved, output.resources[0].ends], [0, 'other_run']);
    assert.ok(!account.calls.includes('lambda:getFunctionConcurrency'));
  },
  async 'without a lock nothing is written'() {
    const account = accountOf();
    delete account.parameters[LOCK];
    const { output } = await run(order('function pay', throttle), account);
    assert.deepEqual([account.reserved, output.resources[0].ends], [0, 'unlocked']);
  },
  async 'a function that is gone is named'() {
    const account = accountOf((_, api) => { if (api.startsWith('lambda:')) throw new Failed('Lambda.ResourceNotFoundException'); });
    const { output } = await run(order('function pay', throttle), account);
    assert.equal(output.resources[0].ends, 'resource_gone');
  },
  async 'throttled calls are made again, and a write is looked at before it is'() {
    let number = 0;
    const account = accountOf(() => { number += 1; if (number % 4 === 0) throw new Failed('Lambda.TooManyRequestsException'); });
    const { output } = await run(order('function pay', throttle), account);
    assert.deepEqual([account.reserved, output.resources[0].ends], [null, 'restored']);
  },
  async 'what never answers fails after its patience, and says so'() {
    const account = accountOf((_, api) => { if (api.startsWith('lambda:')) throw new Failed('Lambda.ServiceException'); });
    const { output } = await run(order('function pay', throttle), account);
    assert.match(output.code, /^Failed: .*failed/);
    assert.equal(account.told.length, 1);
  },
  async 'a delay of a queue, as text and number'() {
    const change = { setting: 'queue_delay', before: { value: 5 }, after: { value: 300 } };
    const { account, output } = await run(order('queue orders', change));
    assert.deepEqual([account.delay, output.resources[0].ends], [5, 'restored']);
  },
  async 'flags go newest first, and leave the bytes from before'() {
    const account = accountOf();
    account.parameters[FLAGS] = '{"latency":{"enabled":true,"n":1},"exception":{"enabled":true}}';
    const one = flag('latency', {}, { value: { enabled: true, n: 1 } }, '{ }');
    const two = flag('exception', {}, { value: { enabled: true } }, '{ }');
    const { output } = await run(order('parameter /shop/faults', two, one), account);
    assert.deepEqual([account.parameters[FLAGS], output.resources[0].ends], ['{ }', 'restored restored']);
  },
  async 'a flag goes back to its value, and keys of others stay'() {
    const account = accountOf();
    account.parameters[FLAGS] = '{"theirs":[1,2],"latency":{"enabled":true}}';
    const change = flag('latency', { value: { enabled: false } }, { value: { enabled: true } }, '{"latency":{"enabled":false}}');
    const { output } = await run(order('parameter /shop/faults', change), account);
    assert.deepEqual(JSON.parse(account.parameters[FLAGS]), { theirs: [1, 2], latency: { enabled: false } });
    assert.equal(output.resources[0].ends, 'restored');
  },
  async 'a document with numbers that JSONata would shorten is left alone'() {
    const account = accountOf();
    const document = '{"theirs":12345678901234567890,"latency":{"enabled":true}}';
    account.parameters[FLAGS] = document;
    const { output } = await run(order('parameter /shop/faults', flag('latency', {}, { value: { enabled: true } }, '{}')), account);
    assert.deepEqual([account.parameters[FLAGS], output.resources[0].ends], [document, 'theirs']);
  },
  async 'a document that is no JSON fails, and is told'() {
    const account = accountOf();
    account.parameters[FLAGS] = 'no json';
    const { output } = await run(order('parameter /shop/faults', flag('latency', {}, { value: true }, '{}')), account);
    assert.match(output.code, /^Failed/);
    assert.equal(account.parameters[FLAGS], 'no json');
  },
  async 'a whole document goes back byte for byte'() {
    const account = accountOf();
    account.parameters[FLAGS] = '{"isEnabled":true}';
    const change = { setting: 'fault_document', before: { value: { isEnabled: false } }, after: { value: { isEnabled: true } }, document: '{ "isEnabled": false }' };
    const { output } = await run(order('parameter /shop/faults', change), account);
    assert.deepEqual([account.parameters[FLAGS], output.resources[0].ends], ['{ "isEnabled": false }', 'restored']);
  },
  async 'variables of the wrapper go, and the others stay'() {
    const change = { setting: 'variables', before: {}, after: { value: { CHAOS_EXTENSION__LAMBDA__LATENCY: '5' } } };
    const { account, output } = await run(order('function pay', change));
    assert.deepEqual([account.environment, output.resources[0].ends], [{ SECRET: 'hunter2' }, 'restored']);
  },
  async 'a function without variables has none of the wrapper'() {
    const account = accountOf();
    account.environment = null;
    const change = { setting: 'variables', before: {}, after: { value: { CHAOS_EXTENSION__LAMBDA__LATENCY: '5' } } };
    const { output } = await run(order('function pay', change), account);
    assert.equal(output.resources[0].ends, 'already_before');
  },
  async 'a secret of a function is in no history but that of variables'() {
    const seen = [];
    const account = accountOf();
    const call = account.call;
    account.call = async (api, asked) => { const result = await call(api, asked); seen.push(JSON.stringify([asked, result])); return result; };
    const { output } = await run(order('function pay', throttle), account);
    assert.ok(!`${seen} ${JSON.stringify(output)} ${account.told}`.includes('hunter2'));
  },
  async 'several resources, each by itself'() {
    const input = order('function pay', throttle);
    input.resources.push({ resource: 'queue orders', unlock: false, changes: [{ setting: 'queue_delay', before: { value: 0 }, after: { value: 300 } }] });
    const { account, output } = await run(input);
    assert.deepEqual(output.resources.map((one) => one.ends), ['restored', 'restored']);
    assert.ok('/squall/marks/queue/orders' in account.parameters, 'it was not to be unlocked');
  },
};

const good = order('function pay', throttle);
const bad = {
  'another resource': order('function admin', throttle),
  'a setting on another kind': order('queue orders', throttle),
  'another setting': order('function pay', { ...throttle, setting: 'role_policy' }),
  'a key too many': { ...good, more: 1 },
  'a key too many in a change': order('function pay', { ...throttle, more: 1 }),
  'a key too many in a value': order('function pay', { ...throttle, before: { value: 1, more: 2 } }),
  'a text for a number': order('function pay', { ...throttle, before: { value: '7' } }),
  'a negative number': order('function pay', { ...throttle, before: { value: -1 } }),
  'half a number': order('function pay', { ...throttle, before: { value: 0.5 } }),
  'no changes': order('function pay'),
  'no resources': { ...good, resources: [] },
  'a run that is none': { ...good, run: '../../x' },
  'a run too long': { ...good, run: 'r'.repeat(41) },
  'no instant': { ...good, until: 'now' },
  'no run': { until, resources: good.resources },
  'no value': order('function pay', { setting: 'reserved_concurrency', before: {} }),
  'a list for a text': { ...good, run: ['run-1'] },
  'a lock of its own': order('function pay', { ...throttle, lock: '/x' }),
  'variables that are no texts': order('function pay', { setting: 'variables', before: { value: { A: 1 } }, after: {} }),
  'a key with a quote': order('parameter /shop/faults', flag("a'b", {}, { value: 1 }, '{}')),
  'a flag without its document': order('parameter /shop/faults', { setting: 'fault_flag', key: 'a', before: {}, after: {} }),
  'nothing': {},
};
for (const [what, input] of Object.entries(bad)) {
  cases[`refused: ${what}`] = async () => {
    const { account, output } = await run(input);
    assert.match(`${output.code}`, /^Refused/);
    assert.deepEqual(account.calls, []);
  };
}

let failed = 0;
for (const [what, check] of Object.entries(cases)) {
  try {
    await check();
    console.log(`ok    ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${what}\n${error.stack}`);
  }
}
console.log(`${Object.keys(cases).length} cases, ${failed} failed`);
process.exit(failed ? 1 : 0);
