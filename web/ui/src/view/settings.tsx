// Settings, what the server is, and how to use it from elsewhere.

import { useState } from 'preact/hooks';
import { apiKey, prefix } from '../api/client';
import { dialog, reconnect, server } from '../state/app';
import { model, theme, type Theme } from '../state/settings';
import { count, duration, size } from '../text/format';
import { CopyButton, Modal } from './parts';
import { modKey } from './sidebar';

const close = () => (dialog.value = null);

export function Settings() {
  const s = server.stats.value;
  const origin = location.origin + prefix;
  const curl = `curl -s ${origin}/api/ask -H 'Content-Type: application/json' \\\n  -d '{"question": "What changed in the last contract?"}'`;
  return (
    <Modal title="Settings and about" onClose={close}>
      <section class="settings-part">
        <h3>Appearance</h3>
        <fieldset class="segments">
          <legend class="offscreen">Theme</legend>
          {(['system', 'light', 'dark'] as Theme[]).map((t) => (
            <label key={t}>
              <input type="radio" name="theme" checked={theme.value === t} onChange={() => (theme.value = t)} />
              <span>{t === 'system' ? 'As the system' : t === 'light' ? 'Light' : 'Dark'}</span>
            </label>
          ))}
        </fieldset>
      </section>
      <section class="settings-part">
        <h3>Answers</h3>
        {s && s.models?.length > 0 ? (
          <label class="field">
            <span>Written by</span>
            <select value={s.models.includes(model.value) ? model.value : ''} onChange={(e) => (model.value = e.currentTarget.value)}>
              <option value="">{s.model ? `${s.model} (the server’s choice)` : 'no model: quoted from the documents'}</option>
              {s.models.filter((m) => m !== s.model).map((m) => <option key={m} value={m}>{m}</option>)}
            </select>
          </label>
        ) : (
          <p>No language model is configured, so answers are quoted from the documents. One can be named with <code>--llm</code> or in the configuration.</p>
        )}
        <KeyLine />
      </section>
      {s && (
        <section class="settings-part">
          <h3>This server</h3>
          <dl class="facts figures">
            <dt>Version</dt><dd>{s.version}</dd>
            <dt>Running for</dt><dd>{duration(s.uptime_s)}</dd>
            <dt>Documents</dt><dd>{count(s.documents)} live{s.pending > 0 && `, ${count(s.pending)} on their way`}</dd>
            <dt>Chunks</dt><dd>{count(s.chunks)}, {count(s.embedded)} with a vector</dd>
            <dt>Embedder</dt><dd>{s.embedder}</dd>
            <dt>On disk</dt><dd>{size(s.disk_bytes)}</dd>
            <dt>Memory</dt><dd>{size(s.heap_bytes)}</dd>
          </dl>
        </section>
      )}
      <section class="settings-part">
        <h3>Use it from elsewhere</h3>
        <Snippet title="From a shell" text={curl} />
        <Snippet title="As an OpenAI-compatible server: base URL" text={`${origin}/v1`} />
        <Snippet title="Description of the API" text={`${origin}/openapi.json`} />
      </section>
      <section class="settings-part">
        <h3>Keys</h3>
        <dl class="facts">
          <dt><kbd>{modKey}</kbd> <kbd>K</kbd></dt><dd>find a document or a conversation</dd>
          <dt><kbd>{modKey}</kbd> <kbd>Shift</kbd> <kbd>O</kbd></dt><dd>new question</dd>
          <dt><kbd>Shift</kbd> <kbd>Esc</kbd></dt><dd>to the question field</dd>
          <dt><kbd>↑</kbd> in the empty field</dt><dd>edit the last question</dd>
          <dt><kbd>Esc</kbd></dt><dd>stop the answer, close what is open</dd>
        </dl>
      </section>
    </Modal>
  );
}

function Snippet({ title, text }: { title: string; text: string }) {
  return (
    <div class="snippet">
      <p>{title}</p>
      <div class="snippet-box">
        <pre tabIndex={0}>{text}</pre>
        <CopyButton label="Copy" text={() => text} />
      </div>
    </div>
  );
}

function KeyLine() {
  const [has, set] = useState(apiKey.get() !== '');
  return (
    <p class="key-line">
      {has ? 'An API key is kept in this browser.' : 'No API key is kept in this browser.'}{' '}
      <button type="button" class="text-button" onClick={() => (dialog.value = 'key')}>{has ? 'Change it' : 'Enter one'}</button>
      {has && <button type="button" class="text-button" onClick={() => (apiKey.forget(), set(false))}>Forget it</button>}
    </p>
  );
}

export function KeyDialog() {
  const [key, setKey] = useState('');
  const [keep, setKeep] = useState(false);
  const [trouble, setTrouble] = useState('');
  return (
    <Modal title="API key" onClose={close} class="modal-small">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const k = key.trim();
          if (!/^[\x21-\x7e]+$/.test(k)) return setTrouble('A key has letters, digits and signs, without spaces.');
          try {
            apiKey.set(k, keep);
          } catch {
            return setTrouble('This browser keeps nothing for this page; allow it to store data.');
          }
          close();
          reconnect();
        }}
      >
        <p>This server answers only those who have a key. Whoever runs it makes one with <code>ragserver key add</code>.</p>
        <label class="field">
          <span>Key</span>
          <input
            type="password"
            autofocus
            autocomplete="off"
            spellcheck={false}
            value={key}
            aria-invalid={trouble !== ''}
            aria-describedby={trouble ? 'key-trouble' : undefined}
            onInput={(e) => (setKey(e.currentTarget.value), setTrouble(''))}
          />
        </label>
        {trouble && <p id="key-trouble" class="trouble" role="alert">{trouble}</p>}
        <label class="check">
          <input type="checkbox" checked={keep} onChange={(e) => setKeep(e.currentTarget.checked)} />
          <span>Keep it on this device; else it is forgotten when the tab is closed</span>
        </label>
        <div class="modal-actions">
          <button type="button" class="button" onClick={close}>Not now</button>
          <button type="submit" class="button button-main" disabled={key.trim() === ''}>Use the key</button>
        </div>
      </form>
    </Modal>
  );
}
