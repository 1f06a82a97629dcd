// Files on their way, and the page as a place to drop them.

import { useEffect, useState } from 'preact/hooks';
import { asWritten } from '../api/client';
import { announce, server, uploads } from '../state/app';
import { droppedFiles, type Upload } from '../state/uploads';
import { count, fileName, plural, size } from '../text/format';
import { Icon } from './icons';
import { IconButton } from './parts';

const mostShown = 100;
const urgency = { sending: 0, reading: 1, failed: 2, waiting: 3, done: 4 };

export function Uploads() {
  const rows = uploads.rows.value;
  if (rows.length === 0) return null;
  const open = rows.filter((u) => u.phase === 'waiting' || u.phase === 'sending' || u.phase === 'reading').length;
  const failed = rows.filter((u) => u.phase === 'failed').length;
  const hidden = uploads.hidden.value;
  const shown = rows.length <= mostShown && (open > 0 || failed === 0) ? rows : [...rows].sort((a, b) => urgency[a.phase] - urgency[b.phase]).slice(0, mostShown);
  return (
    <section class="uploads" aria-label="Files being added">
      <header>
        <h2>
          {open > 0 ? `Adding ${plural(open, 'file')}` : failed > 0 ? `${plural(failed, 'file')} not added` : `${plural(rows.length, 'file')} added`}
        </h2>
        {open === 0 && <IconButton icon="close" label="Close" onClick={() => rows.forEach((u) => uploads.dismiss(u.id))} />}
      </header>
      <ul>
        {shown.map((u) => <UploadRow key={u.id} u={u} />)}
      </ul>
      {shown.length < rows.length && <p class="uploads-note">and {plural(rows.length - shown.length, 'more file')}</p>}
      {hidden > 0 && <p class="uploads-note">{hidden === 1 ? 'A hidden file or folder was' : `${count(hidden)} hidden files and folders were`} left out.</p>}
    </section>
  );
}

function UploadRow({ u }: { u: Upload }) {
  const { folder, name } = fileName(asWritten(u.path));
  const says = {
    waiting: 'waiting',
    sending: `${Math.round(u.done * 100)} % of ${size(u.file?.size ?? 0)}`,
    reading: 'sent, being read',
    done: 'answerable',
    failed: u.message,
  }[u.phase];
  return (
    <li class={`upload upload-${u.phase}`}>
      <div class="upload-line">
        <span class="upload-name" title={u.path}>
          <bdi>{name}</bdi>
          {folder && <> <bdi class="upload-folder">{folder}</bdi></>}
        </span>
        {u.phase === 'done' && <Icon name="check" />}
        {u.phase === 'failed' && u.file && <IconButton icon="again" label={`Try again: ${u.path}`} onClick={() => uploads.retry(u.id)} />}
        {u.phase !== 'done' && <IconButton icon="close" label={`${u.phase === 'failed' ? 'Dismiss' : 'Cancel'}: ${u.path}`} onClick={() => uploads.dismiss(u.id)} />}
      </div>
      {(u.phase === 'sending' || u.phase === 'reading') && (
        <progress max={1} value={u.phase === 'reading' ? undefined : u.done} aria-label={`Sending ${u.path}`} />
      )}
      <p class="figures">{says}</p>
    </li>
  );
}

/** Takes files that are dropped anywhere. */
export function DropTarget() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const hasFiles = (e: DragEvent) => e.dataTransfer?.types.includes('Files') ?? false;
    const enter = (e: DragEvent) => {
      if (!hasFiles(e)) return;
      e.preventDefault();
      depth++;
      setOver(true);
    };
    const leave = (e: DragEvent) => {
      if (!hasFiles(e)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const move = (e: DragEvent) => hasFiles(e) && e.preventDefault();
    const drop = async (e: DragEvent) => {
      if (!hasFiles(e)) return;
      e.preventDefault();
      depth = 0;
      setOver(false);
      if (server.uploads === '') return announce('This server takes no files.');
      const files = await droppedFiles(e.dataTransfer!);
      if (files.length > 0) {
        uploads.add(files);
        announce(`Adding ${plural(files.length, 'file')}.`);
      }
    };
    addEventListener('dragenter', enter);
    addEventListener('dragleave', leave);
    addEventListener('dragover', move);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('dragover', move);
      removeEventListener('drop', drop);
    };
  }, []);
  if (!over) return null;
  return (
    <div class="drop-over" aria-hidden="true">
      <div>
        <Icon name="upload" />
        <p>{server.uploads ? 'Drop to add to your documents' : 'This server takes no files; save them in a watched folder'}</p>
      </div>
    </div>
  );
}
