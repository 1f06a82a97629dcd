package words

import "strings"

// functionWords are the words of a language that hold sentences together and ask
// questions. They say which language a text is in, and weigh less in queries:
// where they happen to be rare (in tables, say) they would otherwise count as much
// as what is asked about.
var functionWords = func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for language, list := range functionWordLists {
		set := map[string]bool{}
		for _, w := range strings.Fields(list) {
			set[w] = true
		}
		all[language] = set
	}
	return all
}()

// Function says that a word in lower case is a function word of a language.
func Function(language, word string) bool { return functionWords[language][word] }

// functionLanguages gives the languages that a function word belongs to.
var functionLanguages = func() map[string][]string {
	all := map[string][]string{}
	for language, set := range functionWords {
		for w := range set {
			all[w] = append(all[w], language)
		}
	}
	return all
}()

var functionWordLists = map[string]string{
	"en": `a about after all also am an and any are as at be because been before being between both but by can could did do does doing
		down during each few for from further had has have having he her here hers him his how i if in into is it its itself just me
		more most my no nor not of off on once only or other our ours out over own same she should so some such than that the their
		theirs them then there these they this those through to too under until up very was we were what when where which while who
		whom whose why will with would you your yours many much`,
	"de": `ab aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei beim wann wobei wodurch wofür womit woran worauf woraus worin worüber wovon wozu bin bis bist da damit dann das
		dass dein dem den denn der des dessen deren die dies diese diesem diesen dieser dieses doch dort du durch ein eine einem einen
		einer eines er es etwas euch für gegen gewesen hab habe haben hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren
		ihrer im in ins ist ja jede jedem jeden jeder jedes jene jetzt kann kein keine können könnte machen man mehr mein mich mir mit muss
		nach nicht noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seit selbst sich sie sind so solche soll sollte sondern
		über um und uns unser unter viel viele vielen vom von vor war waren warum was welche welchem welchen welcher welches wenn wer wem wen wessen
		werden wie wieder will wir wird wo woher wohin wurde wurden zu zum zur zwischen wieviele wieviel`,
	"fr": `à afin ai ainsi après au aucun aucune aujourd auquel aura aussi autre autres aux avait avant avec avoir avons c car ce ceci cela
		celle celles celui ces cet cette ceux chaque chez ci comme comment dans d de depuis des dont du elle elles en encore entre est et était
		étaient été être eu eux il ils j je l la laquelle le lequel les lesquelles lesquels leur leurs lors lorsque lui m ma mais me même mes moi mon n ne
		ni nos notre nous on ont ou où par pas pendant peut plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se
		sera ses si son sont sous sur t ta te tes toi ton tous tout toute toutes très tu un une vos votre vous y a combien`,
	"es": `a al algo algunos ante antes como cómo con contra cual cuál cuáles cuando cuándo cuanto cuánto cuánta cuántos cuántas de del desde donde dónde durante
		e el él ella ellas ellos en entre era eran es esa esas ese eso esos esta está están estas este esto estos fue fueron ha había habían han
		hasta hay la las le les lo los más me mi mientras muy nada ni no nos nosotros o os otra otras otro otros para pero poco por porque
		que qué quien quién quienes quiénes se sea ser si sí sido sin sobre son su sus también tanto te tiene tienen todo todos tu tus un una uno
		unos y ya yo`,
	"it": `a ad agli ai al alla alle allo anche ancora avere aveva c che chi ci cioè come con contro cosa cui da dagli dai dal dalla dalle dallo
		degli dei del dell della delle dello di dopo dove e è ed era erano essere fra fu furono gli ha hanno ho i il in io l la le lei li lo loro lui
		ma me mi mio ne negli nei nel nell nella nelle nello noi non nostro o ogni per perché però più poi prima qual quale quali quando quanta quante quanti quanto quella
		quelle quelli quello questa queste questi questo sarà se sei senza si sia sono sopra sotto stata state stati stato su sua sue sugli
		sui sul sulla sulle suo suoi tra tu tutti tutto un una uno vi voi`,
	"pt": `a à ao aos aquela aquele as às até com como da das de dela dele deles depois do dos e é ela elas ele eles em entre era eram essa essas
		esse esses esta está estão estas este estes eu foi foram há isso isto já lhe mais mas me mesmo meu minha muito na não nas nem no nos
		nós o onde os ou para pela pelas pelo pelos por porque qual quais quando quanto quantos quantas que quê quem são se sem ser seu seus só sobre sua
		suas também te tem têm tinha um uma umas uns você`,
	"nl": `aan al alles als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus een en er geen had hadden heb hebben heeft
		hem het hier hij hoe hoeveel hun ik in is ja je kan kon kunnen maar me meer men met mij mijn moet na naar niet niets nog nu of om omdat onder
		ons ook op over reeds te tegen toch toen tot tussen u uit uw van veel voor waar waarom wanneer want waren was wat welk welke werd werden wie wij wil
		worden wordt zal ze zich zij zijn zo zonder zou`,
	"sv": `alla allt än att av både bara blev bli blir de dem den denna deras dess det detta dig din där då efter ej eller en er ett från för
		ha hade han hans har hon honom hur här i icke ingen inom inte ja jag kan kunde man med mellan men mig min mot mycket många ni något några när nu
		och om oss på samma sedan sig sin sina själv ska skulle som så till under upp ut utan var varför vad vara varit vem vi vid vilka vilken
		vilket är år`,
	"da": `ad af aldrig alle alt anden andre at blev blive bliver da de dem den denne der deres det dette dig din dine disse dog du efter eller en end
		er et for fordi fra før få ham han hans har have havde hende hendes her hos hun hvad hvem hver hvilken hvilke hvis hvor hvordan hvorfor hvornår i ikke ind
		jeg jer kan kunne man mange med meget mellem men mere mig min mod må ned noget nogle nu når og også om op os over på sammen sig sin sine skal
		skulle som så thi til ud under var ved vi vil ville vor være været`,
	"no": `alle andre at av bare begge ble blei bli blir da de deg dem den denne der deres det dette di din disse du eller en enn er et etter for
		fordi fra få før ha hadde han hans har hennes her hos hun hva hvem hver hvilke hvilken hvis hvor hvordan hvorfor i ikke ingen inn ja jeg kan kunne
		man mange med meg mellom men mer min mot mye må ned noe noen nå når og også om opp oss over på samme seg selv si sin sine skal skulle slik som
		så til um under ut uten var ved vi vil ville vår være vært`,
	"fi": `ei eivät emme en että he heidän hän hänen ja jo joka joita jonka jos jossa josta jotka jotta kaikki kanssa kuin kuinka kuka kun kuten
		me mikä miksi milloin millä minkä missä mistä mitkä mitä monta mukaan mutta myös ne niiden niin niitä noin nyt ole olen oli olisi olivat olla on ovat
		saa se sekä sen siellä sillä sitä tai tämä tämän tätä te vaan vai vain vuonna`,
	"ru": `а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да даже для до его ее её если есть еще ещё же за зачем и
		из или им их к как какая какие каким каких какое какой каком какую ко когда кого кому которая которого которой котором которые которых который которую кто куда ли
		лишь между меня мне может можно мой мы на над надо нас наш не него нее ней нет ни них но ну о об один она они оно от очень по под после
		почему при про раз с сам свою себя со сколько так такой там тем то того тоже той только том ты у уже хотя чего чей чем через что чтобы чье чья эта эти
		это этого этой этом этот эту я`,
	"ar": `في من إلى على عن مع هذا هذه ذلك تلك التي الذي الذين ما ماذا متى أين كيف لماذا هل كم أي أية هو هي هم هن كان كانت كانوا يكون تكون قد
		لقد لا لم لن ليس ليست إن أن أنه أنها إذا أو ثم بعد قبل بين حتى كل بعض غير عند عندما حيث منذ كما لكن ولكن بل و ف ب ل ك نحن أنا أنت به بها
		له لها فيه فيها منه منها عليه عليها وهو وهي التى الى او اي ان`,
	"hu": `a abban ahhoz ahogy ahol aki akik akkor alatt által általában amely amelyek amelyet ami amikor amit az azok azon azt azért be
		belül csak de e egy egyes egyik ehhez ekkor el ellen elő én és ez ezek ezen ezt fel hány hanem hogy hogyan hol ilyen is itt jó ki kik kit le lehet legyen lenne lesz
		lett ma maga már még mely melyik mert mi mikor milyen mind minden mint mit mivel most ne nem nincs ő ők össze s saját se sem sok számára szemben
		szerint szét talán te után utána úgy új vagy vagyis valami van vannak volt voltak volna`,
	"ro": `a acea această acest aceasta aceste acestea acesta ai al ale am ar are as au avea ca că care cât câte câți când ce cea cei cel cele cine către
		cu cum cui da dacă dar de deci decât deja despre din după ea ei el ele era erau este eu fi fie fost în îi îl își într între iar la le li lor lui mai mea
		mult nici nu o ori pe pentru peste poate prea prin sa să sau se si și sunt te tot toate toți un una unde unei unele unor unui va vom vor`,
	"tr": `acaba ama ancak bana bazı belki ben bile bir biri biz bu bunu bunun çok çünkü da daha de değil diye en eğer gibi hangi hem hep her hiç için ile
		ise kadar kaç ki kim kimin mi mı mu mü nasıl ne neden nedir nerede nereye niçin niye o olan olarak oldu olduğu olup on ona onlar onu onun sen siz şey şu tüm
		var ve veya ya yani yok`,
	"pl": `a aby ale ani bardzo być był była było były bez bo ci co czy dla do gdy gdzie go i ich ile im jak jaka jaki jakie jako je jego jej jest jeszcze już kiedy
		kto która które którego której który których którzy ma mnie może na nad nie niż o od on ona one oni po pod przed przez przy są się
		swoje ta tak także tam te tego tej ten to tu tylko tym u w we więc wszystko z za ze że żeby`,
	"cs": `a aby aj ale ani asi až bez bude by byl byla byli bylo být co což do ho i já jak jaký jaká jaké jako je jeho jej její jejich jen ještě již jsem jsme jsou
		k kde kdo kdy kolik která které který kteří mezi na nad nebo než o od on ona oni po pod podle pro proč před přes při s se si tak také
		tato ten tento to tuto u v ve však z za ze že`,
}
