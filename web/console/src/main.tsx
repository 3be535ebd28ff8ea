import { render } from 'preact';

import { App, applyTheme } from './app';
import { desk, recall } from './desk';
import { listen } from './notify';

applyTheme(recall('frontdesk:theme'));
render(<App />, document.getElementById('app') as HTMLElement);
listen();
void desk.start();
