// Runs the reference PLC directory and PDS on two given ports, with a throwaway data folder.
//
//   node pds.mjs PLC_PORT PDS_PORT DATA_DIR
//
// Prints one line of JSON when both serve. Then one command a line on stdin: `stop-pds` stops the PDS alone and answers
// `{"stopped":"pds"}`. The end of stdin stops everything, so that nothing outlives the test that started it.
//
// Resolved from the folder this runs in, so that the packages may be installed elsewhere than beside this file.
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const require = createRequire(join(process.cwd(), 'package.json'))
const load = async (name) => (await import(pathToFileURL(require.resolve(name)).href)).default
const say = (message) => process.stdout.write(JSON.stringify(message) + '\n')

const [plcPort, pdsPort, dataDir] = process.argv.slice(2)
const plc = await load('@did-plc/server')
const { PDS, envToCfg, envToSecrets } = await load('@atproto/pds')

const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: Number(plcPort) })
await directory.start()

const env = {
  devMode: true,
  port: Number(pdsPort),
  hostname: 'localhost',
  dataDirectory: dataDir,
  blobstoreDiskLocation: join(dataDir, 'blobs'),
  didPlcUrl: `http://localhost:${plcPort}`,
  adminPassword: 'admin',
  jwtSecret: 'jwt-secret-0123456789',
  plcRotationKeyK256PrivateKeyHex: randomBytes(32).toString('hex'),
  serviceHandleDomains: ['.test'],
  inviteRequired: false,
  disableSsrfProtection: true,
  bskyAppViewUrl: 'https://appview.invalid',
  bskyAppViewDid: 'did:example:invalid',
}
const pds = await PDS.create(envToCfg(env), envToSecrets(env))
await pds.start()
say({ plc: `http://127.0.0.1:${plcPort}`, pds: `http://127.0.0.1:${pdsPort}` })

let stopped
// `destroy` waits for open streams to end by themselves; a PDS that goes down does not.
const stopPds = () => (stopped ??= (pds.server?.closeAllConnections(), pds.destroy()))

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === 'stop-pds') {
    await stopPds()
    say({ stopped: 'pds' })
  }
}
process.exit(0)
