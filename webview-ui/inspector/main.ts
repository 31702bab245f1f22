/** The sample inspector in the sidebar. */
import { html, render } from 'lit-html';
import { inspectorHostContract, inspectorPageContract } from '../../src/protocol/inspector.js';
import { connect } from '../shared/host.js';
import { registerControls } from '../shared/toolkit.js';
import './inspector.css';

registerControls();
const rpc = connect(inspectorPageContract, inspectorHostContract, {
  state: () => undefined,
  samples: () => undefined,
});
void rpc.request('open', {});
render(html`<p>Samples</p>`, document.body);
