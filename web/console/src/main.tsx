import { render } from 'preact';

import { App } from './app';
import { applyTheme } from './pages/account';
import { desk, recall } from './desk';
import { listen } from './notify';

applyTheme(recall('frontdesk:theme'));
render(<App />, document.getElementById('app') as HTMLElement);
listen();
void desk.start();
