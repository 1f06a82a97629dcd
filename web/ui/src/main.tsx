import { render } from 'preact';
import './style/base.css';
import './style/page.css';
import './style/chat.css';
import './style/panels.css';
import './style/documents.css';
import { start } from './state/app';
import { followHistory } from './state/route';
import { keepSettings } from './state/settings';
import { App } from './view/app';
import { loadProse } from './view/lazy';

keepSettings();
followHistory();
start();
render(<App />, document.getElementById('app')!);
setTimeout(loadProse, 300);
